"""The routes of the caller's addresses. Orders copy one, so that a change here moves no order."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response

from chassis.auth import SignedIn
from chassis.idempotency import OnceForCaller
from chassis.paging import Page
from chassis.problems import Conflict, NotFound
from contracts.events.order import Address
from services.user import store
from services.user.api import PartsDep, own_account
from services.user.bodies import AddressBody
from services.user.domain import MAX_ADDRESSES, SavedAddress

router = APIRouter(prefix="/api/users/me/addresses", tags=["addresses"])


class TooManyAddresses(Conflict):
    slug, title = "too-many-addresses", "Too many addresses"


class AddressView(Address):
    """One of the caller's addresses."""

    id: uuid.UUID


@router.post("", status_code=201, response_model=AddressView, operation_id="add_address")
async def add_address(body: AddressBody, caller: SignedIn, once: OnceForCaller, parts: PartsDep) -> Response:
    """Add an address to send orders to."""
    saved = SavedAddress(parts.ids(), caller.id, _address(body))
    async with once.transaction() as tx:
        await own_account(tx, caller, lock=True)  # two at once must not both be the last that fits
        if await store.count_addresses(tx, caller.id) >= MAX_ADDRESSES:
            raise TooManyAddresses(f"You have {MAX_ADDRESSES} addresses already: delete one first.")
        await store.insert_address(tx, saved)
        return await once.answer(tx, 201, _view(saved), location=f"{router.prefix}/{saved.id}")


@router.get("", operation_id="list_addresses")
async def list_addresses(caller: SignedIn, parts: PartsDep) -> Page[AddressView]:
    """The caller's addresses, oldest first, all on one page."""
    async with parts.database.reading() as connection:
        return Page(items=[_view(saved) for saved in await store.addresses(connection, caller.id)])


@router.get("/{address_id:uuid}", operation_id="get_address")
async def get_address(address_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> AddressView:
    """One of the caller's addresses."""
    async with parts.database.reading() as connection:
        try:
            return _view(await store.address(connection, caller.id, address_id))
        except store.AddressUnknown:
            raise _unknown() from None


@router.put("/{address_id:uuid}", operation_id="replace_address")
async def replace_address(
    address_id: uuid.UUID, body: AddressBody, caller: SignedIn, parts: PartsDep
) -> AddressView:
    """Replace one of the caller's addresses."""
    saved = SavedAddress(address_id, caller.id, _address(body))
    async with parts.database.transaction() as tx:
        try:
            await store.save_address(tx, saved)
        except store.AddressUnknown:
            raise _unknown() from None
    return _view(saved)


@router.delete("/{address_id:uuid}", status_code=204, operation_id="delete_address")
async def delete_address(address_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> None:
    """Delete one of the caller's addresses."""
    async with parts.database.transaction() as tx:
        try:
            await store.delete_address(tx, caller.id, address_id)
        except store.AddressUnknown:
            raise _unknown() from None


def _address(body: AddressBody) -> Address:
    return Address.model_validate(body.model_dump())


def _view(saved: SavedAddress) -> AddressView:
    return AddressView(id=saved.id, **saved.address.model_dump())


def _unknown() -> NotFound:
    return NotFound("You have no such address.")
