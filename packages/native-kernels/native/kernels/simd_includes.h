// System headers of the SIMD layers, which themselves are included inside a namespace.
#pragma once
#include <atomic>
#include <cmath>
#include <cstring>

#include "compiler.h"
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif
