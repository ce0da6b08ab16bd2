import { expect } from 'chai';
import { nodeArgument } from '../../src/testing/options.js';

describe('what a node of a test cluster is told', () => {
  const argumentFor = (url: string): unknown =>
    JSON.parse(nodeArgument({}, '/tmp/data', 2, 'some-cluster', new URL(url)));

  it('is where its manager is, in words that a socket takes', () => {
    expect(argumentFor('gtstore://127.0.0.1:7400')).to.deep.include({
      manager: { host: '127.0.0.1', port: 7400 },
      host: '127.0.0.1',
      nodeId: 2,
    });
    expect(argumentFor('gtstore://[::1]:7400')).to.deep.include({
      manager: { host: '::1', port: 7400 },
      host: '::1',
    });
  });
});
