// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CMalloc

#if canImport(Glibc)
internal import Glibc
#endif

/// How a process that runs for months asks glibc to keep its memory (mallopt(3)).
///
/// By itself glibc gives each thread an arena, 8 for every core, and each keeps the most it ever held: a worker that used
/// 7 MB held 59 MB after an hour. It also learns from the first large result that is freed to keep large ones.
package enum Allocator {
    /// Buffers from this size on go back to the system when they are freed; results above 256 KiB go through S3.
    static let largeBytes: Int32 = 256 << 10
    /// How much may lie free at the end of an arena.
    static let spareBytes: Int32 = 1 << 20

    /// Has freed memory returned.
    ///
    /// To be called before other threads begin. Elsewhere than on glibc it does nothing.
    ///
    /// - Returns: whether the allocator took every setting.
    @discardableResult
    package static func returnFreedMemory() -> Bool {
        #if canImport(Glibc)
        let cores = Int32(clamping: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let settings = [(M_ARENA_MAX, max(4, cores)), (M_MMAP_THRESHOLD, largeBytes), (M_TRIM_THRESHOLD, spareBytes)]
        return settings.map { mallopt($0.0, $0.1) == 1 }.allSatisfy(\.self)
        #else
        return true
        #endif
    }
}
