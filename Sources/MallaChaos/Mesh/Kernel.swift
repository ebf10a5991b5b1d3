// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Calls of the kernel whose names our own methods have too.
enum Kernel {
    /// Sends a signal to a process; whether there was one to take it.
    @discardableResult
    static func send(_ signal: CInt, to process: pid_t) -> Bool { kill(process, signal) == 0 }

    /// Reads some bytes of a file; what `read(2)` returns.
    static func take(from descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        read(descriptor, buffer.baseAddress, buffer.count)
    }

    /// Writes some bytes to a file; what `write(2)` returns.
    static func put(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> Int {
        write(descriptor, bytes.baseAddress, bytes.count)
    }
}
