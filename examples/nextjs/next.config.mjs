/** @type {import('next').NextConfig} */
export default {
  // One folder with a server of its own, to copy to wherever it runs.
  output: 'standalone',
  poweredByHeader: false,
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
};
