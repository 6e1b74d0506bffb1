import { decodeModel, encodeModel } from '../../onnx/index.ts'
import { damagedModel, soundModels } from '../models.ts'
import { checkAgain, readOrRefused } from '../reading.ts'
import type { Target } from '../target.ts'
import { fileCase } from './files.ts'

export const onnx: Target = {
  name: 'onnx',
  what: 'ONNX files with damaged bytes, and well-formed ones with changed names, links, shapes and attributes',
  short: 150,
  limits: { seconds: 20, megabytes: 256 },
  open: async () => {
    const sound = soundModels()
    return {
      attempt: (dice) =>
        fileCase('x.onnx', damagedModel(sound, dice), (bytes) =>
          readOrRefused(
            () => decodeModel(bytes, { file: 'x.onnx' }),
            (model) => checkAgain(decodeModel(encodeModel(model)), model),
          ),
        ),
    }
  },
}
