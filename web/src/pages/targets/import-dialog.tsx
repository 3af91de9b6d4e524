import { Button, Checkbox, FileButton, Group, Modal, Textarea } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { useImport, usePlanImport, type ImportPlan } from '../../api/targets';
import { ProblemNotice } from '../../components/states';
import { count } from '../../lib/format';
import classes from './import-dialog.module.css';

/** The most the gateway takes, in characters. */
const maxLength = 900_000;

const example = `kind: Target
id: build-server
name: Build server
protocol: vnc
address: build.example.com:5900
tags: [linux]
accounts:
  - name: operator
    credential: {password: "…"}`;

/** Imports targets from YAML: first shows what would change, then does it. */
export function ImportDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [yaml, setYaml] = useState('');
  const [prune, setPrune] = useState(false);
  const [tooLarge, setTooLarge] = useState(false);
  const plan = usePlanImport();
  const apply = useImport();
  const changes = plan.data?.changes.length ?? 0;

  function close() {
    setYaml('');
    setPrune(false);
    plan.reset();
    apply.reset();
    onClose();
  }
  function edit(text: string) {
    setYaml(text);
    setTooLarge(text.length > maxLength);
    plan.reset();
    apply.reset();
  }
  async function read(file: File | null) {
    if (!file) return;
    if (file.size > 2 * maxLength) setTooLarge(true);
    else edit(await file.text());
  }

  return (
    <Modal opened={opened} onClose={close} title="Import targets" size="xl">
      {plan.data ? (
        <>
          <PlanView plan={plan.data} />
          {apply.error ? <ProblemNotice error={apply.error} /> : null}
          <Group justify="flex-end" mt="lg" gap="sm">
            <Button
              variant="default"
              onClick={() => {
                plan.reset();
                apply.reset();
              }}
            >
              Back
            </Button>
            {changes > 0 && (
              <Button
                data-autofocus
                loading={apply.isPending}
                onClick={() => apply.mutate({ yaml, prune, digest: plan.data.digest }, { onSuccess: close })}
              >
                Apply {count(changes, 'change')}
              </Button>
            )}
          </Group>
        </>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            plan.mutate({ yaml, prune });
          }}
        >
          <Textarea
            label="YAML documents, as for vitrine apply"
            description="Nothing happens before you have seen what changes. Passwords go to the gateway, which seals them and never shows them again."
            placeholder={example}
            value={yaml}
            onChange={(event) => edit(event.currentTarget.value)}
            error={tooLarge ? 'This is more than the console imports; use vitrine apply.' : null}
            autosize
            minRows={12}
            maxRows={20}
            spellCheck={false}
            classNames={{ input: `mono ${classes.input ?? ''}` }}
            data-autofocus
          />
          <Checkbox
            mt="md"
            label="Remove targets that were imported or applied before and are not in here"
            checked={prune}
            onChange={(event) => setPrune(event.currentTarget.checked)}
          />
          {plan.error ? <ProblemNotice error={plan.error} /> : null}
          <Group justify="space-between" mt="lg" gap="sm">
            <FileButton onChange={(file) => void read(file)} accept=".yaml,.yml,text/yaml">
              {(props) => (
                <Button variant="default" leftSection={<IconUpload size={16} stroke={1.6} />} {...props}>
                  Choose a file
                </Button>
              )}
            </FileButton>
            <Group gap="sm">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button
                type="submit"
                disabled={tooLarge || (yaml.trim() === '' && !prune)}
                loading={plan.isPending}
              >
                Show what changes
              </Button>
            </Group>
          </Group>
        </form>
      )}
    </Modal>
  );
}

const signs = { create: '+', update: '~', delete: '−' } as const;
const verbs = { create: 'is added', update: 'changes', delete: 'is removed' } as const;

function PlanView({ plan }: { plan: ImportPlan }) {
  if (plan.changes.length === 0) {
    return <p className={classes.none}>Nothing changes: {count(plan.unchanged, 'target')} as they are.</p>;
  }
  return (
    <div className={classes.plan} tabIndex={0} role="region" aria-label="What changes">
      {plan.changes.map((change) => (
        <section key={change.id} className={classes.change} data-op={change.op}>
          <h3 className={classes.target}>
            <span className={classes.sign} aria-hidden="true">
              {signs[change.op]}
            </span>
            <span className="mono">{change.id}</span> {verbs[change.op]}
          </h3>
          <dl className={classes.fields}>
            {change.fields.map((field) => (
              <div key={field.path} className={classes.field}>
                <dt className="mono">{field.path}</dt>
                <dd>
                  {field.secret ? (
                    <em>{change.op === 'create' ? 'set' : 'changed'} (not shown)</em>
                  ) : (
                    <>
                      {field.old && <del>{field.old}</del>} {field.new && <ins>{field.new}</ins>}
                    </>
                  )}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      {plan.unchanged > 0 && <p className={classes.none}>{count(plan.unchanged, 'target')} as before.</p>}
    </div>
  );
}
