// How long a VALIDATE waits for company (PROTOCOL W9): readers wait for it at the primary, seldom elsewhere.
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import { validateMsMax } from '../../src/protocol/settings.js';
import { ClientOnTable } from '../support/client-core.js';

/** Primary first. */
const replicas = [4, 2, 5];

/** Of each replica, how long the VALIDATE of a put that has been acknowledged may wait for it. */
function patienceOfPut(readFrom: 'primary' | 'any'): number[][] {
  const { core, links } = new ClientOnTable(replicas, readFrom);
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
