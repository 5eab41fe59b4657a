// For TypeDoc: members of types without a name need no words of their own, since the sentence over
// such a type speaks of all of them.

/** How TypeDoc calls a type without a name, within the name of a member. */
const UNNAMED = ".__type.";

export function load({ logger }) {
  const warn = logger.validationWarning.bind(logger);
  logger.validationWarning = (text, ...more) => {
    if (!text.includes(UNNAMED)) warn(text, ...more);
  };
}
