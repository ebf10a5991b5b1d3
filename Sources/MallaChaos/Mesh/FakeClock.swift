// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The wall clock of a process, set off by a library of ours that stands between it and the C library.
///
/// libfaketime can't be used: it changes the environment before the program begins, and Swift's `CommandLine`, which
/// looks for the arguments beside it, is empty then.
final class FakeClock: Sendable {
    /// The compiler of C; nil where there is none.
    private static let compiler: String? = {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin"
        let programs = path.split(separator: ":").flatMap { ["\($0)/cc", "\($0)/gcc", "\($0)/clang"] }
        return programs.first { access($0, X_OK) == 0 }
    }()

    /// Whether clocks can be set here: that takes Linux and a C compiler.
    static var canJump: Bool {
        #if os(Linux)
        compiler != nil
        #else
        false
        #endif
    }

    private let library: String
    private let folder: String

    /// Compiles the library.
    init(folder: String) async throws {
        guard let compiler = Self.compiler else { throw MeshFailure("no C compiler, so no clock can jump") }
        self.folder = folder
        library = folder + "/clock.so"
        try TextFile.write(Self.source, to: folder + "/clock.c")
        _ = try await ChildProcess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, folder + "/clock.c", "-ldl"],
            environment: PlainEnvironment.variables,
            folder: folder
        )
    }

    /// What a role is started with so that its clock is ours; it is right at first.
    func environment(of role: Role) throws -> [String: String] {
        try set(role, off: 0)
        return ["LD_PRELOAD": library, "MALLA_CLOCK": file(of: role)]
    }

    /// Sets the clock of a role that was started so: from this moment on it is so many seconds off.
    func set(_ role: Role, off seconds: Int) throws {
        // One byte at a time is as good: the process reads all eight at once, and an hour has four of them.
        let descriptor = open(file(of: role), O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw MeshFailure("\(file(of: role)): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var value = Int64(seconds)
        guard pwrite(descriptor, &value, 8, 0) == 8 else { throw MeshFailure("\(file(of: role)) can't be written") }
    }

    private func file(of role: Role) -> String { "\(folder)/\(role.rawValue).clock" }

    /// The wall clock is set off by what a mapped file says.
    ///
    /// The monotonic clock is left alone, as no machine's jumps;
    /// who waits until a moment of the wall clock gets that moment put right, as the kernel's clock is.
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <pthread.h>
        #include <semaphore.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static const volatile int64_t *offset;
        static int (*cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
        static int (*semaphore_timedwait)(sem_t *, const struct timespec *);

        __attribute__((constructor)) static void begin(void) {
            cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
            semaphore_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
            const char *path = getenv("MALLA_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *mapped = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
            close(file);
            if (mapped != MAP_FAILED) offset = mapped;
        }

        static int64_t off(void) { return offset ? *offset : 0; }

        int clock_gettime(clockid_t clock, struct timespec *now) {
            int code = (int)syscall(SYS_clock_gettime, clock, now);
            if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += off();
            return code;
        }

        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            struct timespec moment;
            (void)zone;
            if (clock_gettime(CLOCK_REALTIME, &moment) != 0) return -1;
            now->tv_sec = moment.tv_sec;
            now->tv_usec = moment.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *now) {
            struct timespec moment;
            if (clock_gettime(CLOCK_REALTIME, &moment) != 0) return -1;
            if (now) *now = moment.tv_sec;
            return moment.tv_sec;
        }

        /* Moments of the monotonic clock are far smaller: no machine is up for 30 years. */
        static struct timespec right(const struct timespec *until) {
            struct timespec moment = *until;
            if (moment.tv_sec > 1000000000) moment.tv_sec -= off();
            return moment;
        }

        int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                                   const struct timespec *restrict until) {
            struct timespec moment = right(until);
            return cond_timedwait(condition, mutex, &moment);
        }

        int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
            struct timespec moment = right(until);
            return semaphore_timedwait(semaphore, &moment);
        }

        """
}
