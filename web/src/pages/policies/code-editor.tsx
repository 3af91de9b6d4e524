import { useId, useRef, type Ref, useImperativeHandle } from 'react';
import type { PolicyFinding } from '../../api/policies';
import classes from './policies.module.css';
import { offsetOf } from './text';

export interface CodeEditorHandle {
  /** Puts the cursor at a finding. */
  goTo: (finding: PolicyFinding) => void;
}

interface CodeEditorProps {
  label: string;
  value: string;
  findings: readonly PolicyFinding[];
  describedBy?: string;
  readOnly?: boolean;
  onChange?: (value: string) => void;
  ref?: Ref<CodeEditorHandle>;
}

/** A text area for code: line numbers beside it, and marks at the lines something is wrong with. */
export function CodeEditor({
  label,
  value,
  findings,
  describedBy,
  readOnly,
  onChange,
  ref,
}: CodeEditorProps) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lines = value.split('\n').length;
  const marks = new Map<number, PolicyFinding>();
  for (const f of findings) if (marks.get(f.line)?.severity !== 'error') marks.set(f.line, f);

  useImperativeHandle(ref, () => ({
    goTo: (f) => {
      const at = offsetOf(value, f.line, f.column);
      area.current?.focus();
      area.current?.setSelectionRange(at, at);
    },
  }));

  return (
    <div>
      <label className={classes.label} htmlFor={id}>
        {label}
      </label>
      <div className={classes.editor} data-bad={findings.some((f) => f.severity === 'error') || undefined}>
        <div className={classes.gutter} ref={gutter} aria-hidden="true">
          {Array.from({ length: lines }, (_, i) => (
            <div key={i} data-severity={marks.get(i + 1)?.severity} title={marks.get(i + 1)?.message}>
              {i + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={area}
          id={id}
          className={`${classes.code ?? ''} mono`}
          value={value}
          readOnly={readOnly}
          rows={Math.min(30, Math.max(14, lines + 1))}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          maxLength={65536}
          aria-invalid={findings.some((f) => f.severity === 'error')}
          aria-describedby={describedBy}
          onChange={(event) => onChange?.(event.currentTarget.value)}
          onScroll={(event) => {
            if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
          }}
        />
      </div>
    </div>
  );
}
