import { useState } from 'react';
import { apiBase } from '../../api/client';
import classes from './poster.module.css';

/** A picture out of a recording; an empty frame where there is none. */
export function Poster({ session }: { session: string }) {
  const [none, setNone] = useState(false);
  return (
    <div className={classes.poster}>
      {!none && (
        <img
          src={`${apiBase}/recordings/${session}/thumbnail`}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setNone(true)}
        />
      )}
    </div>
  );
}
