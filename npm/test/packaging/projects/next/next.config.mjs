// The tools, and what the projects share, stand above this folder.
export default { turbopack: { root: process.env.TOOLS } };
