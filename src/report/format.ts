/** Numbers as people read them, units after a narrow space that does not break. What is not finite becomes a dash. */

const dash = '–'

const finite = (value: number, write: (value: number) => string): string =>
  Number.isFinite(value) ? write(value) : dash

/** 28938 → '28,938'. */
export const count = (value: number): string => finite(value, (v) => Math.round(v).toLocaleString('en-US'))

/** Three significant digits with a unit of thousands: 1_204_224 → '1.20 M'. Below a thousand the number as it is. */
export const large = (value: number): string =>
  scaled(value, ['', '\u202fk', '\u202fM', '\u202fG', '\u202fT', '\u202fP'])

/** 116_200 → '116 kB', in units of 1000 as file managers and browsers show them. */
export const bytes = (value: number): string =>
  scaled(value, ['\u202fB', '\u202fkB', '\u202fMB', '\u202fGB', '\u202fTB', '\u202fPB'])

const scaled = (value: number, units: readonly string[]): string =>
  finite(value, (v) => {
    const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(v))) / 3 + 1e-9)))
    const mantissa = v / 1000 ** power
    return `${power === 0 ? String(Math.round(mantissa)) : significant(mantissa, 3)}${units[power]}`
  })

/** `digits` significant digits, never in exponent form, never fewer than the whole part has. */
export const significant = (value: number, digits: number): string =>
  finite(value, (v) => {
    if (v === 0) return '0'
    const whole = Math.floor(Math.log10(Math.abs(v))) + 1
    return v.toFixed(Math.min(20, Math.max(0, digits - whole)))
  })

/** A share as per cent: 0.9912 → '99.12 %'. */
export const percent = (share: number, digits = 2): string =>
  finite(share, (v) => `${(100 * v).toFixed(digits)}\u202f%`)

/** A difference of shares in points, with its sign: 0.0007 → '+0.07'. */
export const points = (difference: number): string => finite(difference, (v) => signed(100 * v, 2))

/** With a true minus sign, and a plus when positive. */
export const signed = (value: number, digits: number): string => {
  const text = Math.abs(value).toFixed(digits)
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`
}

/** 0.0842 → '0.084 ms', 12.34 → '12.3 ms', 1800 → '1.80 s'. */
export const milliseconds = (value: number): string =>
  finite(value, (v) =>
    v >= 1000 ? `${significant(v / 1000, 3)}\u202fs` : `${significant(v, v < 0.1 ? 2 : 3)}\u202fms`,
  )

/** 154 → '2 min 34 s'. */
export const seconds = (value: number): string =>
  finite(value, (v) => {
    const whole = Math.round(v)
    return whole < 60 ? `${significant(v, 2)}\u202fs` : `${Math.floor(whole / 60)}\u202fmin ${whole % 60}\u202fs`
  })

/** As a sentence begins: 'the values' → 'The values'. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** How many times smaller: 120 and 12 → '10×'. */
export const times = (before: number, after: number): string => finite(before / after, (v) => `${significant(v, 2)}×`)

/** Without the zeros a label does not need: '50.0 kB' → '50 kB', '99.00 %' → '99 %'. */
export const tidy = (text: string): string => text.replace(/(\.\d*?)0+(?=\D*$)/, '$1').replace(/\.(?=\D*$)/, '')

/** At most `most` characters, the end kept: the names of a graph's nodes differ there. */
export const shortened = (text: string, most: number): string =>
  text.length <= most ? text : `…${text.slice(text.length - most + 1)}`
