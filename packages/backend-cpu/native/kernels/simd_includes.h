// System headers of the SIMD layers, which themselves are included inside a namespace.
#pragma once
#include <cmath>
#include <cstring>
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
