// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
package import Glibc
#else
package import Darwin
#endif

extension stat {
    /// When the file's content was changed last, in seconds since 1970; the field has another name on each system.
    package var changedAt: time_t {
        #if canImport(Glibc)
        st_mtim.tv_sec
        #else
        st_mtimespec.tv_sec
        #endif
    }
}
