{
  "includes": ["native/sources.gypi"],
  "target_defaults": {
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fvisibility=hidden", "-Wall", "-Wextra", "-pthread"],
    "cflags!": ["-O2"],
    "defines": ["NAPI_VERSION=8"],
    "conditions": [
      ["OS=='mac'", {
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
          "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
          "GCC_OPTIMIZATION_LEVEL": "3",
          "MACOSX_DEPLOYMENT_TARGET": "11.0"
        }
      }]
    ]
  },
  "targets": [
    {
      "target_name": "kronroot_baseline",
      "type": "static_library",
      "sources": ["<@(cpu_baseline_sources)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2"] }]]
    },
    {
      "target_name": "kronroot_avx2",
      "type": "static_library",
      "sources": ["<@(cpu_avx2_sources)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2", "-mavx2", "-mfma"] }, { "type": "none" }]]
    },
    {
      "target_name": "kronroot_avx512",
      "type": "static_library",
      "sources": ["<@(cpu_avx512_sources)"],
      "conditions": [["target_arch=='x64'", {
        "cflags_cc": ["-march=x86-64-v2", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]
      }, { "type": "none" }]]
    },
    {
      "target_name": "kronroot_amx",
      "type": "static_library",
      "sources": ["<@(cpu_amx_sources)"],
      "conditions": [["target_arch=='x64'", {
        "cflags_cc": ["-march=x86-64-v2", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mamx-tile", "-mamx-bf16"]
      }, { "type": "none" }]]
    },
    {
      "target_name": "kronroot",
      "sources": ["<@(addon_sources)", "<@(core_sources)", "<@(reference_sources)", "<@(cpu_sources)"],
      "dependencies": ["kronroot_baseline", "kronroot_avx2", "kronroot_avx512", "kronroot_amx"],
      "conditions": [
        ["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2"] }],
        ["OS=='linux'", { "libraries": ["-ldl"], "ldflags": ["-Wl,--version-script=<(module_root_dir)/native/addon/exports.map"] }]
      ]
    }
  ]
}
