// What compilers call by different names.
#pragma once

// Products and sums are never fused unasked: codes must be equal on every backend. GCC is told by -ffp-contract=off.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

// UNROLL(n) before a loop: unroll it n times. MSVC decides for itself.
#if defined(__clang__)
#define UNROLL(count) SPIKELLM_PRAGMA(clang loop unroll_count(count))
#define SPIKELLM_PRAGMA(text) _Pragma(#text)
#elif defined(__GNUC__)
#define UNROLL(count) SPIKELLM_PRAGMA(GCC unroll count)
#define SPIKELLM_PRAGMA(text) _Pragma(#text)
#else
#define UNROLL(count)
#endif

// SHARED: one copy for all callers where kernels are downloaded; for functions that are called once a row or a tile.
#if defined(__wasm__)
#define SHARED __attribute__((noinline))
#else
#define SHARED
#endif

// PREFETCH(address): a read of it follows soon.
#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#elif defined(_M_X64)
#define PREFETCH(address) _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0)
#else
#define PREFETCH(address) __prefetch(address)
#endif
