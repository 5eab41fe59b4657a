// What every project does with the package: it puts a value and reads it back.

/** Resolves to the value that was read; `environment` is the key. */
export async function roundTrip(connect, options, environment) {
  const client = await connect(options);
  try {
    const { context } = await client.put(environment, `written by ${environment}`);
    const entry = await client.get(environment, { context });
    return entry.text();
  } finally {
    await client.close();
  }
}
