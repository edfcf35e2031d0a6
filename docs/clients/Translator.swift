// Ids in, ids out, with the whole search of the recipe in the model. CocoaPods: TensorFlowLiteSwift
import Foundation
import TensorFlowLite

/// A model.tflite that `seqcfg export --format tflite-int8` wrote; `maxSourceLength` is that of model.json.
final class Translator {
  private static let end: Int32 = 3
  private let interpreter: Interpreter
  private let maxSourceLength: Int

  init(modelPath: String, maxSourceLength: Int, threads: Int = 2) throws {
    var options = Interpreter.Options()
    options.threadCount = threads
    interpreter = try Interpreter(modelPath: modelPath, options: options)
    self.maxSourceLength = maxSourceLength
  }

  /// The best output, without its end, and its score. `ids` are a sentence's, without the end id, which is added here.
  func translate(_ ids: [Int32]) throws -> (ids: [Int32], score: Float) {
    let source = ids.prefix(maxSourceLength - 1) + [Self.end]
    for place in 0..<interpreter.inputTensorCount {
      let isLength = try interpreter.input(at: place).shape.rank == 1
      try interpreter.resizeInput(at: place, to: isLength ? [1] : [1, source.count])
    }
    try interpreter.allocateTensors()
    for place in 0..<interpreter.inputTensorCount {
      let isLength = try interpreter.input(at: place).shape.rank == 1
      let values: [Int32] = isLength ? [Int32(source.count)] : Array(source)
      try interpreter.copy(values.withUnsafeBufferPointer(Data.init), toInputAt: place)
    }
    try interpreter.invoke()
    var found: [Int32] = [], length: Int32 = 0, score: Float = 0
    for place in 0..<interpreter.outputTensorCount {
      let output = try interpreter.output(at: place)
      if output.dataType == .float32 {
        score = output.data.withUnsafeBytes { $0.load(as: Float.self) }
      } else if output.shape.rank == 3 {
        found = output.data.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
      } else {
        length = output.data.withUnsafeBytes { $0.load(as: Int32.self) }
      }
    }
    return (Array(found.prefix(Int(length))), score)
  }
}
