// Where this file lies, and the `require` of that place. CommonJS in both builds, because an ES module has no
// `__dirname` and a CommonJS one no `import.meta`. scripts/build-ts.mjs copies it beside the compiled files.
exports.directory = __dirname
exports.load = (file) => require(file)
