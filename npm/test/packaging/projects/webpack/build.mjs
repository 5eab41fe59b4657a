// What webpack's own program does with the configuration, without one more package.

import webpack from "webpack";
import config from "./webpack.config.mjs";

webpack(config, (error, stats) => {
  if (error) throw error;
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  for (const { message } of [...errors, ...warnings]) console.error(message);
});
