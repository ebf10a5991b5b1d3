// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors
//
// Shows the thread sanitizer the slow paths of Synchronization.Mutex. On Linux its fast path is inlined into our
// code, where the sanitizer sees the atomics; under contention it calls these three, whose atomics and futex are in
// libswiftSynchronization, which is not instrumented: the lock would pass from thread to thread unseen, and all it
// guards would look like a race. scripts/sanitize.sh preloads this into the tests; where no sanitizer is, it only
// passes the calls on. The mutex itself arrives in Swift's self register, here as the context.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

typedef void SWIFT Lock(uint32_t thread, SELF);
typedef bool SWIFT TryLock(SELF);
typedef void SWIFT Unlock(SELF);

Lock lockSlow __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
TryLock tryLockSlow __asm__("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
Unlock unlockSlow __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

static Lock *realLock;
static TryLock *realTryLock;
static Unlock *realUnlock;
static void (*acquire)(void *);
static void (*release)(void *);

__attribute__((constructor)) static void find(void) {
    realLock = dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
    realTryLock = dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
    realUnlock = dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
    acquire = dlsym(RTLD_DEFAULT, "__tsan_acquire");
    release = dlsym(RTLD_DEFAULT, "__tsan_release");
}

SWIFT void lockSlow(uint32_t thread, SELF) {
    realLock(thread, self);
    if (acquire) acquire(self);
}

SWIFT bool tryLockSlow(SELF) {
    bool taken = realTryLock(self);
    if (taken && acquire) acquire(self);
    return taken;
}

SWIFT void unlockSlow(SELF) {
    if (release) release(self);
    realUnlock(self);
}
