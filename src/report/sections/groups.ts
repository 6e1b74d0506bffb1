import { groupChart } from '../charts/groups.ts'
import { type Markup, markup } from '../markup.ts'
import type { GroupPicture } from '../types.ts'
import { figure } from './parts.ts'

/** Every coupled group drawn, those of which something goes first. */
export const groupPictures = (groups: readonly GroupPicture[]): Markup => {
  const goes = ({ size, kept = size }: GroupPicture) => size - kept > 0
  const order = [...groups.filter(goes), ...groups.filter((group) => !goes(group))]
  return markup`<div class="pair${order.length > 4 ? ' many' : ''}">${order.map((group) =>
    figure(
      markup`${group.name}<small>${group.approximate === undefined ? 'exact' : 'approximate'}</small>`,
      groupChart(group),
      group.approximate,
    ),
  )}</div>`
}
