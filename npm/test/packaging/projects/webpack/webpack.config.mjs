export default {
  mode: "production",
  context: import.meta.dirname,
  entry: "../page/page.js",
  output: { filename: "page.js" },
};
