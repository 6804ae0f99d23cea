"""Which images a viewer finds: the table of the Image API, as branches of a union.

asked     | a project's user                  | an administrator             | no project
----------|-----------------------------------|------------------------------|------------
(default) | public, own, shared with it       | all but others' community    | public
public    | public                            | all public                   | public
private   | own private                       | all private                  | none
shared    | own shared, shared with it        | all shared                   | none
community | all community                     | all community                | all
all       | the default and all community     | everything                   | public

"Shared with it" are shared images of which the project is a member, with the asked member status.
"""

from typing import NamedTuple

from glimpse.catalog.ports import PageQuery, Viewer
from glimpse.domain.image import Visibility


class Branch(NamedTuple):
    """Images of one visibility (None: of any), of the viewer's project or not, shared with it or not.

    Branches of one list may overlap: the union takes every image once.
    """

    visibility: str | None
    own: bool = False
    with_viewer: bool = False


_PUBLIC = Branch("public")
_PRIVATE = Branch("private")
_SHARED = Branch("shared")
_COMMUNITY = Branch("community")
_OWN = Branch(None, own=True)
_WITH_VIEWER = Branch("shared", with_viewer=True)
_EVERYTHING = Branch(None)


def branches(query: PageQuery, viewer: Viewer) -> tuple[Branch, ...]:
    """The branches whose union is what `query` asks for and `viewer` may see."""
    asked = None if query.visibility is None else str(query.visibility)
    if viewer.is_admin:
        return _of_administrator(asked, viewer.project_id)
    if viewer.project_id is None:
        return _of_nobody(asked)
    return _of_project(asked)


def _of_project(asked: str | None) -> tuple[Branch, ...]:
    default = (_PUBLIC, _OWN, _WITH_VIEWER)
    table: dict[str | None, tuple[Branch, ...]] = {
        None: default,
        "all": (*default, _COMMUNITY),
        "public": (_PUBLIC,),
        "private": (Branch("private", own=True),),
        "shared": (Branch("shared", own=True), _WITH_VIEWER),
        "community": (_COMMUNITY,),
    }
    return table.get(asked, ())


def _of_nobody(asked: str | None) -> tuple[Branch, ...]:
    if asked == "community":
        return (_COMMUNITY,)
    return (_PUBLIC,) if asked in {None, "all", "public"} else ()


def _of_administrator(asked: str | None, project_id: str | None) -> tuple[Branch, ...]:
    if asked == "all":
        return (_EVERYTHING,)
    if asked is not None:
        return (Branch(asked),) if asked in set(Visibility) else ()
    own = () if project_id is None else (Branch("community", own=True),)
    return (_PUBLIC, _PRIVATE, _SHARED, *own)
