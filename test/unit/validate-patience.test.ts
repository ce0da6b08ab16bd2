// How long a VALIDATE waits for company (PROTOCOL W9): readers wait for it at the primary, seldom elsewhere.
import { expect } from 'chai';
import { ClientCore } from '../../src/client/core/client-core.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import { defaultSettings, validateMsMax } from '../../src/protocol/settings.js';
import { KeepingLink } from '../support/node-core.js';

/** Primary first. */
const replicas = [4, 2, 5];

/** Of each replica, how long the VALIDATE of a put that has been acknowledged may wait for it. */
function patienceOfPut(readFrom: 'primary' | 'any'): number[][] {
  const links = new Map(replicas.map((id) => [id, new KeepingLink()]));
  const core = new ClientCore({
    clientId: 9,
    readFrom,
    ports: {
      nowMs: () => 1000,
      clockUs: () => 1_000_000,
      random: () => 0.5,
      node: (id) => links.get(id),
      manager: () => undefined,
      broadcast: () => undefined,
      mapAdopted: () => undefined,
      completed: () => undefined,
    },
  });
  const nodes = replicas.map((id) => ({ id, incarnation: 7, host: '127.0.0.1', port: id }));
  const settings = { ...defaultSettings, slotCount: 1 };
  core.onMap({ clusterId: 'table', epoch: 1, settings, nodes, slots: [newSlot(replicas, 1)] });
  const operation = core.put('k', Buffer.from([1]), 0, 5000, null);
  const rid = operation?.rid ?? 0;
  for (const id of replicas) core.onNodeMessage(id, { type: MessageType.ack, rid });
  return replicas.map((id) => {
    const link = links.get(id);
    expect(link?.take(MessageType.validate)).to.have.length(1);
    return link?.patience ?? [];
  });
}

describe('W9: a VALIDATE that waits for company', () => {
  it('waits shortly at the primary and longer at the others', () => {
    const { primary, others } = validateMsMax;
    expect(primary).to.be.below(others);
    expect(patienceOfPut('primary')).to.deep.equal([[primary], [others], [others]]);
  });

  it('waits shortly everywhere if its client reads from any replica', () => {
    const { primary } = validateMsMax;
    expect(patienceOfPut('any')).to.deep.equal([[primary], [primary], [primary]]);
  });
});
