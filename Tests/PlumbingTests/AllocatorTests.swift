// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if os(Linux)
import Glibc
import Testing

@testable import Plumbing

@Suite struct AllocatorTests {
    /// It is there by being linked before the C library, which nothing else would tell.
    @Test func memoryIsNotTakenFromTheCLibrary() throws {
        Allocator.returnFreedMemory()
        let cLibrary = try #require(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD))
        defer { dlclose(cLibrary) }
        // A null handle is RTLD_DEFAULT: the first library that has it, as for everybody; under a sanitizer its own.
        let taken = try #require(dlsym(nil, "malloc"))
        let ofTheCLibrary = try #require(dlsym(cLibrary, "malloc"))
        #expect(taken != ofTheCLibrary)
    }
}
#endif
