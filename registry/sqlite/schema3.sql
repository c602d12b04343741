-- What schema 3 adds: the counts of what was published.
create table publications (
  project text not null references projects,
  name    text not null,              -- of a view
  version integer not null,
  history text not null,              -- JSON: the latest ones, the newest first
  primary key (project, name, version)
) strict;
