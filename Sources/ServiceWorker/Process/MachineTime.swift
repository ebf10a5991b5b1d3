// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The time since the machine's start as every process on it reads it, suspended time included.
enum MachineTime {
    /// `CLOCK_BOOTTIME` in milliseconds; nil where the system has no such clock.
    static var milliseconds: Int64? {
        #if os(Linux)
        var time = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return nil }
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        #else
        return nil
        #endif
    }
}
