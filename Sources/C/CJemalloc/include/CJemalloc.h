/* Malla - a mesh that turns AI models into services
 * SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 the Malla authors
 */
#pragma once
#ifdef __linux__
#include <jemalloc/jemalloc.h>
#endif
