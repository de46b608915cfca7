/** As much of Node.js as tests of the pages use: they run there (tests/unit/test_pages_code.py), and nothing else does. */

declare module "node:test" {
  export default function test(name: string, run: () => void | Promise<void>): void;
}

declare module "node:assert/strict" {
  const assert: {
    (value: unknown, message?: string): asserts value;
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(text: string, expected: RegExp, message?: string): void;
  };
  export default assert;
}
