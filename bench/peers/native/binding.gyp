{
  "targets": [
    {
      "target_name": "kronroot_bench",
      "sources": ["addon.cpp", "openblas.cpp", "peak.cpp", "routes.cpp", "workers.cpp"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++20", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-pthread"],
      "defines": ["NAPI_VERSION=8"],
      "libraries": ["-ldl"]
    }
  ]
}
