-- Schema 1 of the registry. Times are UTC microseconds. Everything is scoped by project.
create table projects (
  project  text primary key,
  revision integer not null           -- raised by every apply, promotion and change of a model
) strict;

-- Immutable versions of views and services. None is ever changed, and no number is used twice.
create table versions (
  project     text not null references projects,
  kind        text not null,          -- feature_view, feature_service
  name        text not null,
  version     integer not null,
  fingerprint text not null,
  algorithm   text not null,          -- that made the fingerprint
  definition  text not null,          -- JSON
  primary key (project, kind, name, version)
) strict;

-- What the definitions said at the last apply, descriptions included.
create table head (
  project    text not null references projects,
  kind       text not null,
  name       text not null,
  version    integer,                 -- of views and services
  definition text not null,           -- JSON
  primary key (project, kind, name),
  foreign key (project, kind, name, version) references versions
) strict;

-- The version that a name answers with.
create table serving (
  project text not null,
  kind    text not null,
  name    text not null,
  version integer not null,
  since   integer not null,
  primary key (project, kind, name),
  foreign key (project, kind, name, version) references versions
) strict;

create table commits (
  project      text not null references projects,
  id           integer not null,      -- counts from 1 in a project
  revision     integer not null,
  time         integer not null,
  author       text not null,
  message      text not null,
  git_revision text not null,
  dirty        integer not null,
  objects      text not null,         -- JSON
  primary key (project, id)
) strict;

create table leases (
  project text not null,
  name    text not null,
  token   text not null,
  holder  text not null,              -- JSON
  expires integer not null,
  primary key (project, name)
) strict;

create table training_sets (
  id      integer primary key,
  project text not null,
  name    text not null,
  created integer not null,
  service text not null,
  rows    integer not null,
  out     text not null,
  lock    text not null,              -- JSON
  retired integer                     -- when its name was given to another
) strict;

create unique index training_set_names on training_sets (project, name) where retired is null;
