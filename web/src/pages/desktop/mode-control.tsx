import { SegmentedControl, Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import type { DisplayMode } from '../../viewer/geometry';
import type { Viewer } from '../../viewer/viewer';

interface ModeControlProps {
  mode: DisplayMode;
  viewer: Viewer;
  onMode: (mode: DisplayMode) => void;
}

export function ModeControl({ mode, viewer, onMode }: ModeControlProps) {
  const { resizable, role, size } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const mayResize = resizable && role === 'control';
  return (
    <Tooltip label={size ? `The desktop is ${size.width} × ${size.height}` : 'How the desktop is laid out'}>
      <SegmentedControl
        size="xs"
        withItemsBorders={false}
        aria-label="How the desktop is laid into the window"
        value={mode}
        onChange={(value) => onMode(value)}
        data={[
          { value: 'fit', label: 'Fit' },
          { value: 'actual', label: '1:1' },
          { value: 'resize', label: 'Resize', disabled: !mayResize && mode !== 'resize' },
        ]}
      />
    </Tooltip>
  );
}
