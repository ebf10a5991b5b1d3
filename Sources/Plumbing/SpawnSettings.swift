// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
package import Glibc
#else
package import Darwin
#endif

/// How programs are started with `posix_spawn(3)`: fresh, with nothing of the process that starts them.
///
/// Two of the file actions are GNU extensions, which Swift's Glibc module does not show.
package enum SpawnSettings {
    private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
    private typealias ChangeFolder = @convention(c) (Actions, UnsafePointer<CChar>) -> CInt
    private typealias CloseFrom = @convention(c) (Actions, CInt) -> CInt

    /// The program starts in this folder (glibc 2.29 and later); false when that is not to be had.
    package static func changeFolder(_ actions: inout posix_spawn_file_actions_t, _ folder: String) -> Bool {
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addchdir_np") else { return false }
        return unsafeBitCast(symbol, to: ChangeFolder.self)(&actions, folder) == 0
    }

    /// The program starts with no signal blocked or ignored, in a session and a process group of its own: it has no
    /// terminal, and what its parent ignores or blocks (SIGPIPE) is none of its business.
    package static func setFresh(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        #if os(Linux)
        let newSession: CInt = 0x80
        #else
        let newSession: CInt = 0x400
        #endif
        posix_spawnattr_setflags(
            &attributes,
            Int16(newSession | CInt(POSIX_SPAWN_SETSIGMASK) | CInt(POSIX_SPAWN_SETSIGDEF))
        )
    }

    /// The program gets no descriptor from this number on (glibc 2.34 and later).
    package static func closeDescriptors(_ actions: inout posix_spawn_file_actions_t, from first: CInt) {
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
        _ = unsafeBitCast(symbol, to: CloseFrom.self)(&actions, first)
    }
}
