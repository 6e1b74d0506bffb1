import { count, shortened } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import type { GroupMember, GroupPicture } from '../types.ts'
import { drawing } from './frame.ts'

const width = 460
const row = 24
/** Where the knot of the units stands, and how far it reaches to both sides. */
const [middle, half] = [230, 46]

/**
 * A group as a knot of units: at the left the layers that make them, at the right those that read them. What goes with the
 * units on their way (biases, normalizations) is listed below the knot.
 */
export const groupChart = ({ name, size, kept = size, members }: GroupPicture): Markup => {
  const of = (role: GroupMember['role']) => members.filter((member) => member.role === role)
  const [makers, readers, carried] = [of('produces'), of('consumes'), of('follows')]
  const rows = Math.max(makers.length, readers.length, 2)
  const y = (k: number, among: number) => 14 + ((rows - among) / 2 + k + 0.5) * row
  const centre = 14 + (rows * row) / 2
  const ribbon = (x0: number, y0: number, x1: number, y1: number) =>
    markup`<path class="veil kept" d="M${x0} ${y0}C${(x0 + x1) / 2} ${y0} ${(x0 + x1) / 2} ${y1} ${x1} ${y1}"/>`
  const label = ({ initializer, axis, operator, node }: GroupMember, x: number, at: number, anchor: string) =>
    markup`<text class="name" x="${x}" y="${at + 4}" text-anchor="${anchor}"><title>${`${operator} ${node}: axis ${axis} of ${initializer}`}</title>${shortened(initializer, 20)}</text>`
  return drawing(
    { title: `The units of ${name} and the layers they tie together`, height: rows * row + 44, kind: 'groups', width },
    makers.map((_, k) => ribbon(150, y(k, makers.length), middle - half, centre)),
    readers.map((_, k) => ribbon(middle + half, centre, 310, y(k, readers.length))),
    markup`<rect class="gone" x="${middle - half}" y="${centre - 12}" width="${2 * half}" height="24" rx="4"/><rect class="kept" x="${middle - half}" y="${centre - 12}" width="${(2 * half * kept) / size}" height="24" rx="4"/>`,
    markup`<text class="widths" x="${middle}" y="${centre + 28}" text-anchor="middle">${kept < size ? `${count(size)} → ${count(kept)}` : `${count(size)} units`}</text>`,
    makers.map((member, k) => label(member, 144, y(k, makers.length), 'end')),
    readers.map((member, k) => label(member, 316, y(k, readers.length), 'start')),
    carried.length > 0 &&
      markup`<text class="kind" x="${middle}" y="${rows * row + 38}" text-anchor="middle">with ${shortened(carried.map((member) => member.initializer).join(', '), 64)}</text>`,
  )
}
