-- What schema 2 adds: the pins of models, and since when a view version is not live.
-- A model version and the exact features it is served. It is never changed; unpinning removes it.
create table models (
  project      text not null references projects,
  name         text not null,
  version      text not null,
  pinned       integer not null,
  author       text not null,
  features     text not null,         -- JSON: the uses and outputs
  service      text not null,         -- churn@2, or empty: where the features came from
  training_set integer references training_sets,
  primary key (project, name, version)
) strict;

create table model_aliases (
  project text not null,
  model   text not null,
  alias   text not null,
  version text not null,
  primary key (project, model, alias),
  foreign key (project, model, version) references models (project, name, version)
) strict;

-- View versions that were live and are not. gc leaves their data for a while from then on.
create table idle (
  project text not null references projects,
  name    text not null,
  version integer not null,
  since   integer not null,
  primary key (project, name, version)
) strict;
