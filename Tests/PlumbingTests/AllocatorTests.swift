// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if os(Linux)
import Glibc
import Testing

@testable import Plumbing

/// jemalloc is there by being linked before the C library, and reads its settings from `CJemalloc`; nothing else would
/// tell that it is not so.
@Suite struct AllocatorTests {
    @Test func memoryIsNotTakenFromTheCLibrary() throws {
        let cLibrary = try #require(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD))
        defer { dlclose(cLibrary) }
        // A null handle is RTLD_DEFAULT: the first library that has it, as for everybody; under a sanitizer its own.
        let taken = try #require(dlsym(nil, "malloc"))
        let ofTheCLibrary = try #require(dlsym(cLibrary, "malloc"))
        #expect(taken != ofTheCLibrary)
    }

    @Test(.enabled(if: getenv("MALLOC_CONF") == nil)) func itReadsItsSettings() throws {
        typealias Control =
            @convention(c) (
                UnsafePointer<CChar>, UnsafeMutableRawPointer, UnsafeMutablePointer<Int>, UnsafeRawPointer?, Int
            ) -> CInt
        let symbol = try #require(dlsym(nil, "mallctl"))
        let control = unsafeBitCast(symbol, to: Control.self)
        var threshold = 0
        var size = MemoryLayout<Int>.size
        #expect(control("opt.oversize_threshold", &threshold, &size, nil, 0) == 0)
        #expect(threshold == 4 << 20)
        var decay = 0
        #expect(control("opt.dirty_decay_ms", &decay, &size, nil, 0) == 0)
        #expect(decay == 1000)
        Allocator.returnFreedMemory()
        var hasBackground = false
        size = MemoryLayout<Bool>.size
        #expect(control("background_thread", &hasBackground, &size, nil, 0) == 0)
        #expect(hasBackground)
    }
}
#endif
