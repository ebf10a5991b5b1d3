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
    /// To be called before other threads begin. What an operator has set in the environment stays; elsewhere than on
    /// glibc this does nothing.
    package static func returnFreedMemory() {
        #if canImport(Glibc)
        let cores = Int32(clamping: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        guard getenv("GLIBC_TUNABLES") == nil else { return }
        for (variable, parameter, value) in [
            ("MALLOC_ARENA_MAX", M_ARENA_MAX, min(max(4, cores), 16)),
            ("MALLOC_MMAP_THRESHOLD_", M_MMAP_THRESHOLD, largeBytes),
            ("MALLOC_TRIM_THRESHOLD_", M_TRIM_THRESHOLD, spareBytes),
        ] where getenv(variable) == nil {
            // One that is not taken, as under a sanitizer, leaves the allocator as it was.
            _ = mallopt(parameter, value)
        }
        #endif
    }
}
