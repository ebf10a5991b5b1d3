/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#pragma once
/* mallopt(3) is not in Swift's Glibc. */
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
