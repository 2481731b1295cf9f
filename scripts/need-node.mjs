// Stops with a plain sentence when Node is too old for the rest of the scripts.

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(
    `Karibu needs Node 20 or newer; this is ${process.version}. Install a newer one and try again.`,
  );
  process.exit(1);
}
