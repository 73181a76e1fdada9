import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Ends a run with every skipped test and its reason, then one line of counts for people and scripts. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    for (const test of skipped) console.log(`skipped: ${nameOf(test)} (${reasonOf(test)})`);
    console.log(countsLine(tests, brokenGroups(modules) + unhandled.length));
  }
}

/** `N passed, N failed, N skipped`; `broken` counts failures that belong to no test case. */
export function countsLine(tests: readonly TestCase[], broken: number): string {
  const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
  return `${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped`;
}

/** Files that do not load and suites whose hooks fail: without them a broken file would count as nothing. */
function brokenGroups(modules: readonly TestModule[]): number {
  const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  return groups.filter((group) => group.errors().length > 0).length;
}

function nameOf(test: TestCase): string {
  return [test.project.name, test.fullName].filter((part) => part !== '').join(' > ');
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === 'skipped' && result.note) || 'no reason given';
}
