// D2: what a node that is started reads of its disk, and what it may say of the disk because of that.
import { expect } from 'chai';
import type { DiskContent } from '../../src/protocol/messages.js';
import { NodeOnTable, self } from '../support/node-core.js';

describe('D2: a learner that has read its slot from its disk', () => {
  function learnerAfter(content: DiskContent): NodeOnTable {
    const stage = new NodeOnTable();
    const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    const { attic } = stage.core;
    attic.add(0, 'k', version, Buffer.from('v'), 0, null, stage.nowMs);
    attic.loaded(content);
    stage.map([{ replicas: [2], learners: [self] }]);
    return stage;
  }

  it('fills it over what is there', () => {
    const { attic } = learnerAfter({ clusterId: 'table', slots: [[0, 1]], clockUs: 1 }).core;
    expect([attic.has(0), attic.isOverlaid(0)]).to.deep.equal([true, true]);
  });

  it('saves it anew if the disk was damaged and begun anew meanwhile: nothing is there any more', () => {
    const { attic } = learnerAfter({ clusterId: '', slots: [], clockUs: 0 }).core;
    expect([attic.has(0), attic.isOverlaid(0)]).to.deep.equal([true, false]);
  });
});
