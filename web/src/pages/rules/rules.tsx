import { Button, Select, Skeleton, Switch } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconPlus, IconRadar } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import {
  labelOf,
  ruleActions,
  rulesQuery,
  sources,
  useUpdateRule,
  type KeptList,
  type KeptRule,
  type Rule,
} from '../../api/detection';
import { useCan } from '../../api/me';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { count, fullTime } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { SeverityBadge } from '../alerts/severity';
import { ListDialog } from './list-dialog';
import classes from './rules.module.css';
import { originText, ruleText, scopeText } from './scope';

/** The rules of detection, whatever their origin, and the lists of words they name. */
export function RulesPage() {
  useTitle('Rules of detection');
  const { data, error, isPending, refetch } = useQuery(rulesQuery);
  const [search, setSearch] = useState('');
  const [list, setList] = useState<KeptList | 'new' | null>(null);
  const manage = useCan()('manage_rules');
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = data?.rules.filter((r) => {
    const text = ruleText(r);
    return words.every((word) => text.includes(word));
  });
  return (
    <>
      <PageHead
        title="Rules of detection"
        sub="Tried on what is typed, pasted and shown in sessions, while it happens. A change reaches running sessions within seconds."
      >
        <Search label="Search rules" value={search} onChange={setSearch} />
        {manage && (
          <Button component={Link} to="/rules/new" leftSection={<IconPlus size={16} />}>
            New rule
          </Button>
        )}
      </PageHead>
      {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={360} radius="md" aria-hidden="true" />}
      {data && !data.enabled && (
        <p className={classes.notice} role="status">
          <IconAlertTriangle size={18} stroke={1.6} aria-hidden="true" />
          Detection is off in the configuration (<span className="mono">detection.enabled</span>): no rule is
          tried.
        </p>
      )}
      {shown &&
        (shown.length > 0 ? (
          <RuleTable rules={shown} manage={manage} />
        ) : (
          <Empty
            icon={<IconRadar size={36} stroke={1.3} />}
            title={search ? 'No rule matches' : 'There is no rule'}
          />
        ))}

      {data && (
        <>
          <div className={classes.sectionHead}>
            <h2 className={page.section}>Lists of words</h2>
            {manage && (
              <Button size="xs" variant="default" onClick={() => setList('new')}>
                New list
              </Button>
            )}
          </div>
          <ListTable lists={data.lists} rules={data.rules} onOpen={setList} />
        </>
      )}
      {list && (
        <ListDialog list={list === 'new' ? null : list} manage={manage} onClose={() => setList(null)} />
      )}
    </>
  );
}

function RuleTable({ rules, manage }: { rules: KeptRule[]; manage: boolean }) {
  const update = useUpdateRule();
  const change = (kept: KeptRule, part: Partial<Rule>) =>
    update.mutate({ revision: kept.revision, rule: { ...kept.rule, ...part } });
  return (
    <>
      {update.error && (
        <div className={classes.gap}>
          <ProblemNotice error={update.error} />
        </div>
      )}
      <div className={page.card}>
        <div className={page.scroll}>
          <table className={page.table} aria-label="Rules of detection">
            <thead>
              <tr>
                <th>Tried</th>
                <th>Rule</th>
                <th>Severity</th>
                <th>Does</th>
                <th>Looks at</th>
                <th>For</th>
                <th>From</th>
              </tr>
            </thead>
            <tbody>
              {rules.map((kept) => {
                const { rule } = kept;
                return (
                  <tr key={rule.id} data-rule={rule.id}>
                    <td className={classes.switch}>
                      <Switch
                        checked={!rule.disabled}
                        disabled={!manage || update.isPending}
                        aria-label={`${rule.name}: tried`}
                        onChange={(event) => change(kept, { disabled: !event.currentTarget.checked })}
                      />
                    </td>
                    <td className={classes.rule}>
                      <Link to={`/rules/${rule.id}`} className={page.link}>
                        {rule.name}
                      </Link>
                      <div className={`${page.small ?? ''} mono`}>{rule.id}</div>
                      {kept.problem && (
                        <div className={classes.bad}>
                          <IconAlertTriangle size={15} stroke={1.6} aria-hidden="true" /> Not usable:{' '}
                          {kept.problem}
                        </div>
                      )}
                    </td>
                    <td>
                      <SeverityBadge severity={rule.severity} />
                    </td>
                    <td>
                      {manage ? (
                        <Select
                          size="xs"
                          w={118}
                          aria-label={`What ${rule.name} does`}
                          data={ruleActions}
                          value={rule.action}
                          allowDeselect={false}
                          disabled={update.isPending}
                          onChange={(value) => value && change(kept, { action: value })}
                        />
                      ) : (
                        labelOf(ruleActions, rule.action)
                      )}
                    </td>
                    <td className={page.dim}>{rule.sources.map((s) => labelOf(sources, s)).join(', ')}</td>
                    <td className={classes.scope}>{scopeText(rule.scope)}</td>
                    <td className={page.dim}>
                      {originText(kept)}
                      {kept.updated_by && kept.updated_at && (
                        <div className={page.small} title={fullTime(kept.updated_at)}>
                          by {kept.updated_by}
                        </div>
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </div>
    </>
  );
}

interface ListTableProps {
  lists: KeptList[];
  rules: KeptRule[];
  onOpen: (list: KeptList) => void;
}

function ListTable({ lists, rules, onOpen }: ListTableProps) {
  if (lists.length === 0) return <p className={page.dim}>None. Rules may name lists instead of patterns.</p>;
  return (
    <div className={page.card}>
      <div className={page.scroll}>
        <table className={page.table} aria-label="Lists of words">
          <thead>
            <tr>
              <th>List</th>
              <th>Words</th>
              <th>Named by</th>
              <th>From</th>
            </tr>
          </thead>
          <tbody>
            {lists.map((l) => {
              const by = rules.filter((r) => r.rule.lists?.includes(l.name)).map((r) => r.rule.name);
              return (
                <tr key={l.name}>
                  <td>
                    <button type="button" className={classes.open} onClick={() => onOpen(l)}>
                      {l.name}
                    </button>
                    <div className={page.small}>{l.about}</div>
                    {l.problem && <div className={classes.bad}>Not usable: {l.problem}</div>}
                  </td>
                  <td className={page.nowrap}>{count(l.words.length, 'word')}</td>
                  <td className={page.dim}>{by.join(', ') || 'no rule'}</td>
                  <td className={page.dim}>
                    {originText({ ...l, configured: false })}
                    {l.updated_by && <div className={page.small}>by {l.updated_by}</div>}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}
