-- What schema 3 adds: the counts of what was published.
create table publications (
  project text not null references projects,
  name    text not null,              -- of a view
  version integer not null,
  slot    integer not null,           -- a bounded number of them is kept
  run     text not null,
  counts  text not null,              -- JSON
  primary key (project, name, version, slot)
) strict;
