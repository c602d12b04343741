-- What schema 3 adds: the counts of what was published, what is expected of sources and views, and how the latest checks came out.
create table publications (
  project text not null references projects,
  name    text not null,              -- of a view
  version integer not null,
  store   text not null,              -- that has it: several may take turns
  slot    integer not null,           -- a bounded number of them is kept
  run     text not null,
  counts  text not null,              -- JSON
  primary key (project, name, version, store, slot)
) strict;

-- Expectations change no value, so they are no part of a version. Each version keeps those that it was last applied with.
create table expected (
  project      text not null references projects,
  kind         text not null,
  name         text not null,
  version      integer not null,      -- 0 for sources
  expectations text not null,         -- JSON
  primary key (project, kind, name, version)
) strict;

create table checked (
  project text not null references projects,
  kind    text not null,
  name    text not null,
  version integer not null,           -- 0 for sources
  history text not null,              -- JSON: a bounded number of runs, the newest first
  primary key (project, kind, name, version)
) strict;
