import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { policySchemaQuery } from '../../api/policies';
import { ProblemNotice } from '../../components/states';

/** What policies may name. */
export function Reference() {
  const { data, error, refetch } = useQuery(policySchemaQuery);
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={300} />;
  return (
    <>
      <h3>Actions</h3>
      <dl>
        {data.actions.map((a) => (
          <div key={a.name}>
            <dt className="mono">Action::"{a.name}"</dt>
            <dd>
              {a.about}
              {a.resources.length > 0 ? ` On: ${a.resources.join(', ')}.` : ' A group of actions.'}
            </dd>
          </div>
        ))}
      </dl>
      <h3>Who and what</h3>
      <dl>
        {data.entities.map((e) => (
          <div key={e.name}>
            <dt className="mono">{e.name}</dt>
            <dd>
              {e.about}
              {e.in.length > 0 && ` May be in: ${e.in.join(', ')}.`}
              {e.ids.length > 0 && ` There are: ${e.ids.join(', ')}.`}
              {e.attributes.map((a) => (
                <div key={a.name}>
                  <span className="mono">
                    .{a.name}
                    {a.optional ? '?' : ''}: {a.type}
                  </span>{' '}
                  {a.about}
                </div>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <h3>Circumstances</h3>
      <dl>
        {data.context.map((a) => (
          <div key={a.name}>
            <dt className="mono">
              context.{a.name}
              {a.optional ? '?' : ''}: {a.type}
            </dt>
            <dd>{a.about}</dd>
          </div>
        ))}
        <dd>Hours and weekdays are those of {data.time_zone}.</dd>
      </dl>
      <h3>Obligations of a permit to connect</h3>
      <dl>
        {data.obligations.map((o) => (
          <div key={o.name}>
            <dt className="mono">@{o.name}</dt>
            <dd>{o.about}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
