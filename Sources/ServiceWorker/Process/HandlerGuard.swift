// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends the handlers' process groups, children included, should this process be killed, and removes their folder.
///
/// The kernel alone ends only the handler itself (`PR_SET_PDEATHSIG` is not inherited). This is a shell in a session
/// of its own, told of every group over a socket whose other end only this process has: when that closes, it acts.
final class HandlerGuard: Sendable {
    private static let script = """
        trap '' HUP INT TERM
        folder=$1
        shift
        while IFS=' ' read -r sign group; do
            if [ "$sign" = + ]; then
                set -- "$@" "$group"
                continue
            fi
            left=$#
            while [ "$left" -gt 0 ]; do
                first=$1
                shift
                left=$((left - 1))
                [ "$first" = "$group" ] || set -- "$@" "$first"
            done
        done
        for group in "$@"; do kill -s KILL -- "-$group"; done
        [ -z "$folder" ] || rm -rf -- "$folder"
        """

    private let socket: Mutex<CInt>
    private let end = GuardEnd()

    /// Starts it; nil when that is not possible.
    ///
    /// - Parameter folder: what it removes in the end.
    init?(folder: String) {
        var ends: [CInt] = [-1, -1]
        #if os(Linux)
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        #else
        let kind = SOCK_STREAM
        #endif
        guard access("/bin/sh", X_OK) == 0, socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        guard let pid = Self.spawn(folder, input: ends[1]) else {
            close(ends[0])
            return nil
        }
        socket = Mutex(ends[0])
        let isWaiting = startThread { [end] in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            end.raise()
        }
        if !isWaiting { end.raise() }
    }

    deinit {
        hangUp()
    }

    /// A group has begun.
    func add(_ group: pid_t) { tell("+ \(group)\n") }

    /// A group has ended, and its number may soon be another's.
    func remove(_ group: pid_t) { tell("- \(group)\n") }

    /// Whether it has ended, of itself or by another's hand.
    var isGone: Bool { end.isRaised }

    /// Ends it; returns when it is gone.
    func dismiss() async {
        hangUp()
        await end.wait()
    }

    private func hangUp() {
        socket.withLock { socket in
            if socket >= 0 { close(socket) }
            socket = -1
        }
    }

    private func tell(_ line: String) {
        socket.withLock { socket in
            guard socket >= 0 else { return }
            let bytes = Array(line.utf8)
            // A line is far smaller than the socket's room; where the guard has died there is nobody to tell.
            #if os(Linux)
            _ = send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
            #else
            _ = send(socket, bytes, bytes.count, MSG_DONTWAIT)
            #endif
        }
    }

    private static func spawn(_ folder: String, input: CInt) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        SpawnSettings.closeDescriptors(&actions, from: 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        SpawnSettings.setFresh(&attributes)
        let arguments = ["sh", "-c", script, "malla-guard", folder].map { (text: String) in strdup(text) } + [nil]
        let environment = [strdup("PATH=/usr/local/bin:/usr/bin:/bin"), nil]
        defer { for text in arguments + environment { free(text) } }
        var pid = pid_t()
        return posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environment) == 0 ? pid : nil
    }
}

/// The end of a guard: one waits for it, others look.
private final class GuardEnd: Sendable {
    private let raised = Atomic(false)
    private let gone = OneShot<Void>()

    var isRaised: Bool { raised.load(ordering: .acquiring) }

    func raise() {
        raised.store(true, ordering: .releasing)
        gone.finish(.success(()))
    }

    func wait() async {
        // Only cancellation ends the wait early, and then nobody asks any more.
        try? await gone.value()
    }
}
