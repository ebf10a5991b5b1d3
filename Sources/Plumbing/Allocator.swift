// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if os(Linux)
internal import CJemalloc
internal import Glibc
#endif

/// The allocator of a process that runs for months: jemalloc, which is there by being linked.
///
/// glibc's gives each thread an arena, and each arena keeps the most that it ever held. Nor does it expect that one
/// thread frees what another took, as it is with tasks that go from thread to thread.
package enum Allocator {
    /// Has freed memory returned to the system also by a process that has nothing to do.
    ///
    /// It is said here and not in `Sources/C/CJemalloc/settings.c`, where jemalloc(3) warns of deadlocks at the start.
    /// What an operator says of `background_thread` in `MALLOC_CONF` stays, see jemalloc(3); elsewhere than on Linux this
    /// does nothing.
    package static func returnFreedMemory() {
        #if os(Linux)
        if let set = getenv("MALLOC_CONF"), String(cString: set).contains("background_thread") { return }
        var isOn = true
        // If it is not taken, memory is returned when something is allocated.
        _ = mallctl("background_thread", nil, nil, &isOn, MemoryLayout<Bool>.size)
        #endif
    }
}
