// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if os(Linux)
import Glibc
import Testing

@testable import Plumbing

@Suite struct AllocatorTests {
    /// It is there by being linked before the C library, which nothing else would tell.
    @Test func memoryComesFromJemalloc() throws {
        Allocator.returnFreedMemory()
        var found = Dl_info()
        // A null handle is RTLD_DEFAULT: the first library that has it, as for everybody.
        let address = try #require(dlsym(nil, "malloc"))
        try #require(dladdr(address, &found) != 0)
        let library = String(cString: found.dli_fname)
        // A sanitizer's own is in the program itself.
        #expect(!library.contains("/libc.so"), "malloc is that of \(library)")
    }
}
#endif
