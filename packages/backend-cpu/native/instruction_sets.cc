#include "instruction_sets.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__) || defined(_M_X64)
#define SPIKELLM_X64
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define SPIKELLM_ARM64
#if defined(_WIN32)
#include <windows.h>
#elif defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

namespace spikellm {

namespace {

#if defined(SPIKELLM_X64)
struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

/// What the CPUID instruction says; zeros for a leaf that the machine lacks.
Registers cpuid(uint32_t leaf) {
  Registers found{};
#if defined(_MSC_VER)
  int registers[4];
  __cpuid(registers, 0);
  if (static_cast<uint32_t>(registers[0]) < leaf) return found;
  __cpuidex(registers, static_cast<int>(leaf), 0);
  std::memcpy(&found, registers, sizeof found);
#else
  __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
#endif
  return found;
}

/// Which registers the operating system saves. Only where it says by OSXSAVE that it saves any.
uint64_t savedRegisters() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}
#endif

}  // namespace

std::vector<InstructionSet> instructionSets() {
  std::vector<InstructionSet> sets;
#if defined(SPIKELLM_X64)
  const auto bits = [](uint64_t word, std::initializer_list<int> wanted) {
    for (const int bit : wanted) {
      if ((word >> bit & 1) == 0) return false;
    }
    return true;
  };
  const Registers basic = cpuid(1), extended = cpuid(7);
  const uint64_t saved = bits(basic.ecx, {27}) ? savedRegisters() : 0;
  // FMA and F16C; AVX2; the registers xmm and ymm.
  const bool avx2 = bits(basic.ecx, {12, 29}) && bits(extended.ebx, {5}) && bits(saved, {1, 2});
  // AVX-512 F, DQ, BW, VL; VNNI; the mask registers and all of zmm.
  const bool avx512 =
      avx2 && bits(extended.ebx, {16, 17, 30, 31}) && bits(extended.ecx, {11}) && bits(saved, {5, 6, 7});
  if (avx512) sets.push_back({"avx512", avx512Kernels()});
  if (avx2) sets.push_back({"avx2", avx2Kernels()});
#elif defined(SPIKELLM_ARM64)
#if defined(_WIN32)
  const bool dotProducts = IsProcessorFeaturePresent(PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE);
#elif defined(__linux__)
  const bool dotProducts = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  const bool dotProducts = true;  // every Mac that has this architecture
#endif
  if (dotProducts) sets.push_back({"neon", neonKernels()});
#endif
  sets.push_back({"scalar", scalarKernels()});
  return sets;
}

}  // namespace spikellm
