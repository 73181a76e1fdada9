{
  # clang_cl=1: Clang in place of MSVC on Windows. It keeps the tiles of the kernels in registers, which MSVC does not do
  # for arrays; not every Visual Studio comes with it.
  'variables': {'clang_cl%': 0},
  # Instruction sets are libraries of their own: gyp has no flags for single files.
  'target_defaults': {
    'include_dirs': ['.', '../../native-kernels/native'],
    'defines': ['NAPI_VERSION=8'],
    'cflags': ['-O3', '-Wall', '-Wextra', '-ffp-contract=off', '-fvisibility=hidden'],
    'cflags_cc': ['-std=c++17'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
    # Late, since Node's own settings for these systems come after those of target_defaults.
    'target_conditions': [
      ['OS=="mac"', {
        'xcode_settings': {
          'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
          'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
          'GCC_OPTIMIZATION_LEVEL': '3',
          'MACOSX_DEPLOYMENT_TARGET': '11.0',
          'OTHER_CFLAGS': ['-ffp-contract=off'],
        },
      }],
      ['OS=="win"', {
        'msvs_settings': {'VCCLCompilerTool': {'ExceptionHandling': 1, 'AdditionalOptions': ['/fp:precise']}},
      }],
    ],
    'conditions': [['OS=="win" and clang_cl==1', {'msbuild_toolset': 'ClangCL'}]],
  },
  'targets': [
    {
      'target_name': 'spikellm_cpu',
      'dependencies': ['scalar'],
      'sources': [
        'addon.cc',
        'completions.cc',
        'device.cc',
        'instruction_sets.cc',
        'memory.cc',
        'pages.cc',
        'pool.cc',
        'slabs.cc',
      ],
      'conditions': [
        ['target_arch=="x64"', {'dependencies': ['avx2', 'avx512']}],
        ['target_arch=="arm64"', {'dependencies': ['neon']}],
      ],
    },
    {
      'target_name': 'scalar',
      'type': 'static_library',
      'sources': ['kernels/scalar.cc'],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'avx2',
          'type': 'static_library',
          'sources': ['kernels/avx2.cc'],
          'cflags': ['-mavx2', '-mfma', '-mf16c'],
          'xcode_settings': {'OTHER_CFLAGS': ['-mavx2', '-mfma', '-mf16c']},
          'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['/arch:AVX2']}},
        },
        {
          'target_name': 'avx512',
          'type': 'static_library',
          'sources': ['kernels/avx512.cc'],
          # GCC 12 warns of its own AVX-512 headers.
          'cflags': ['-mavx2', '-mfma', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512vnni', '-Wno-maybe-uninitialized', '-Wno-uninitialized'],
          'xcode_settings': {
            'OTHER_CFLAGS': ['-mavx2', '-mfma', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512vnni'],
          },
          'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['/arch:AVX512']}},
          # MSVC knows VNNI without being told.
          'conditions': [['OS=="win" and clang_cl==1', {
            'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ['-mavx512vnni']}},
          }]],
        },
      ],
    }],
    ['target_arch=="arm64"', {
      'targets': [
        {
          'target_name': 'neon',
          'type': 'static_library',
          'sources': ['kernels/neon.cc'],
          'cflags': ['-march=armv8.2-a+dotprod'],
        },
      ],
    }],
  ],
}
