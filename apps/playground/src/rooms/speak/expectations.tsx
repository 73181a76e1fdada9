import { SIDES, type Expectation, type Side, type SpokenToken } from '../../engine/reply.ts';
import { nats, percent, visible } from './divergence.ts';
import { place, shown } from './session.ts';

/** What both models expected where a token came: the five likeliest of each, and the token where it is none of them. */
export function Expectations() {
  const { value: token } = shown;
  const { value: at } = place;
  return (
    <section class="expected" aria-labelledby="expected">
      <h2 id="expected">{token ? `“${visible(token.text)}”` : 'What both expected'}</h2>
      <p class="soft small">
        {token && at
          ? `Token ${at.index + 1} of the ${at.side} text: KL(float ‖ spiking) is ${nats(token.divergence)}.`
          : 'Point at a token, or walk along the texts with the arrow keys.'}
      </p>
      <div class="columns">
        {SIDES.map((side) => (
          <Likeliest key={side} side={side} token={token} />
        ))}
      </div>
    </section>
  );
}

const ROWS = [0, 1, 2, 3, 4, 5];

function Likeliest({ side, token }: { readonly side: Side; readonly token: SpokenToken | undefined }) {
  const rows = token ? rowsOf(token, token.expected[side]) : [];
  return (
    <table class={`likeliest ${side}`}>
      <caption>The {side} model expected here</caption>
      <thead class="unseen">
        <tr>
          <th scope="col">token</th>
          <th scope="col">probability</th>
        </tr>
      </thead>
      <tbody>
        {ROWS.map((i) => {
          const row = rows[i];
          return (
            <tr key={i} class={row && row.id === token?.id ? 'came' : undefined}>
              <th scope="row">{row && visible(row.text)}</th>
              <td>
                {row && (
                  <span class="share">
                    <span
                      class="bar-line"
                      style={{ width: `${100 * row.probability}%` }}
                      aria-hidden="true"
                    />
                    <span>{percent(row.probability)}</span>
                  </span>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const rowsOf = ({ id, text }: SpokenToken, { likeliest, probability }: Expectation) =>
  likeliest.some((candidate) => candidate.id === id) ? likeliest : [...likeliest, { id, text, probability }];
